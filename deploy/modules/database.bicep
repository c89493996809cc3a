// SQL server with both sign-ins (name and password, Entra), its firewall, and one database.
param serverName string
param databaseName string

@allowed(['Free', 'Basic', 'S0', 'S3'])
param databaseSize string

param administrator string

@secure()
param administratorPassword string

param entraAdministratorName string
param entraAdministratorId string
param addresses array
param location string
param tags object

// The free offer is serverless: it pauses when idle, and stops until the next month when it is used up.
var sizes = {
  Free: {
    sku: {
      name: 'GP_S_Gen5'
      tier: 'GeneralPurpose'
      family: 'Gen5'
      capacity: 2
    }
    gigabytes: 32
  }
  Basic: {
    sku: {
      name: 'Basic'
      tier: 'Basic'
      capacity: 5
    }
    gigabytes: 2
  }
  S0: {
    sku: {
      name: 'S0'
      tier: 'Standard'
      capacity: 10
    }
    gigabytes: 250
  }
  S3: {
    sku: {
      name: 'S3'
      tier: 'Standard'
      capacity: 100
    }
    gigabytes: 250
  }
}
var isFree = databaseSize == 'Free'

resource server 'Microsoft.Sql/servers@2023-08-01' = {
  name: serverName
  location: location
  tags: tags
  properties: {
    administratorLogin: administrator
    administratorLoginPassword: administratorPassword
    administrators: {
      administratorType: 'ActiveDirectory'
      azureADOnlyAuthentication: false
      login: entraAdministratorName
      sid: entraAdministratorId
      tenantId: subscription().tenantId
    }
    minimalTlsVersion: '1.2'
    publicNetworkAccess: 'Enabled'
    restrictOutboundNetworkAccess: 'Disabled'
  }
}

// 0.0.0.0 stands for Azure services, among them App Service and the runners of GitHub.
resource azureServices 'Microsoft.Sql/servers/firewallRules@2023-08-01' = {
  parent: server
  name: 'azure-services'
  properties: {
    startIpAddress: '0.0.0.0'
    endIpAddress: '0.0.0.0'
  }
}

resource allowed 'Microsoft.Sql/servers/firewallRules@2023-08-01' = [for address in addresses: {
  parent: server
  name: address.name
  properties: {
    startIpAddress: address.first
    endIpAddress: address.last
  }
}]

resource database 'Microsoft.Sql/servers/databases@2023-08-01' = {
  parent: server
  name: databaseName
  location: location
  tags: tags
  sku: sizes[databaseSize].sku
  properties: {
    collation: 'SQL_Latin1_General_CP1_CI_AS'
    maxSizeBytes: sizes[databaseSize].gigabytes * 1073741824
    requestedBackupStorageRedundancy: 'Local'
    zoneRedundant: false
    autoPauseDelay: isFree ? 60 : null
    minCapacity: isFree ? json('0.5') : null
    useFreeLimit: isFree ? true : null
    freeLimitExhaustionBehavior: isFree ? 'AutoPause' : null
  }
}


output host string = server.properties.fullyQualifiedDomainName
output name string = database.name
output id string = database.id
