// Azure Managed Redis: port 10000, TLS only. (Azure Cache for Redis cannot be created any more since October 2026.)
// Its address, with the access key, becomes the secret `redis-url`.
param name string
param vaultName string
param location string
param tags object

resource cluster 'Microsoft.Cache/redisEnterprise@2025-04-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Balanced_B0'
  }
  properties: {
    minimumTlsVersion: '1.2'
    highAvailability: 'Disabled'
  }
}

resource database 'Microsoft.Cache/redisEnterprise/databases@2025-04-01' = {
  parent: cluster
  name: 'default'
  properties: {
    clientProtocol: 'Encrypted'
    port: 10000
    clusteringPolicy: 'EnterpriseCluster'
    evictionPolicy: 'NoEviction'
    accessKeysAuthentication: 'Enabled'
  }
}

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' existing = {
  name: vaultName
}

resource address 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = {
  parent: vault
  name: 'redis-url'
  properties: {
    value: 'rediss://:${database.listKeys().primaryKey}@${cluster.properties.hostName}:10000/0?ssl_cert_reqs=required'
    contentType: 'text/plain'
  }
}

output host string = cluster.properties.hostName
