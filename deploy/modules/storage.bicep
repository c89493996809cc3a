// Storage of the downloaded files: one container for each kind of file, private, without account keys.
param name string
param readerWriterId string
param coolAfterDays int
param archiveAfterDays int
param location string
param tags object

var containers = ['firds', 'fitrs']
// Role "Storage Blob Data Contributor".
var contributorRole = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Standard_LRS'
  }
  kind: 'StorageV2'
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource fileContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = [for container in containers: {
  parent: blobs
  name: container
  properties: {
    publicAccess: 'None'
  }
}]

// The same days as COOL_AFTER_DAYS and ARCHIVE_AFTER_DAYS. Deleting is left to the product, which alone knows
// whether a file has been loaded, is marked as kept, or belongs to the newest full set.
resource tiers 'Microsoft.Storage/storageAccounts/managementPolicies@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'move-files-to-cheaper-tiers'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['firds/', 'fitrs/']
            }
            actions: {
              baseBlob: {
                tierToCool: {
                  daysAfterModificationGreaterThan: coolAfterDays
                }
                tierToArchive: {
                  daysAfterModificationGreaterThan: archiveAfterDays
                  daysAfterLastTierChangeGreaterThan: coolAfterDays
                }
              }
            }
          }
        }
      ]
    }
  }
  dependsOn: [blobs]
}

resource readsAndWrites 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, readerWriterId, contributorRole)
  scope: account
  properties: {
    principalId: readerWriterId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', contributorRole)
  }
}

output name string = account.name
output id string = account.id
