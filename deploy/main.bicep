// Everything that MarketData needs on Azure, in one resource group. docs/deploy.md explains each step and its cost.
targetScope = 'resourceGroup'

@description('Which of the two environments this resource group holds.')
@allowed(['staging', 'production'])
param environment string

@description('Region of all resources.')
param location string = resourceGroup().location

@description('App Service plan: F1 is free, sleeps and cannot run the worker; B1 and larger run the web app and the worker.')
@allowed(['F1', 'B1', 'B2', 'P0v3', 'P1v3'])
param planSku string

@description('Size of the database. Free is the serverless free offer: 100,000 vCore seconds a month, for staging only.')
@allowed(['Free', 'Basic', 'S0', 'S3'])
param databaseSize string

@description('Name of the SQL administrator (sign-in by name and password).')
param sqlAdministrator string = 'marketdataadmin'

@description('Password of the SQL administrator.')
@secure()
@minLength(16)
param sqlAdministratorPassword string

@description('Name of the Entra user or group that administers the database.')
param entraAdministratorName string

@description('Object id of that Entra user or group.')
param entraAdministratorId string

@description('Addresses that may connect to the database, besides Azure services: name, first and last IPv4 address.')
param databaseAddresses array = []

@description('Signing key of the application: 50 random characters or more.')
@secure()
@minLength(50)
param secretKey string

@description('Object id of the Entra application that deploys from GitHub; empty if nothing is deployed from there.')
param deployerId string = ''

@description('Where alerts are sent to.')
param alertEmail string

@description('Create an Azure Managed Redis for the queue, the cache and rate limits. Needed for several workers.')
param withRedis bool = false

@description('Monthly budget, in the currency of the subscription. Alerts are sent at 80 % and at the forecast of 100 %.')
@minValue(1)
param monthlyBudget int = 25

@description('First day of the budget: the first of a month, not before the current one.')
param budgetStart string = utcNow('yyyy-MM-01')

// The retention rules of the product. Storage moves files to cheaper tiers after the same number of days.
@minValue(1)
param coolAfterDays int = 7
@minValue(1)
param archiveAfterDays int = 30
@minValue(1)
param deleteDeltasAfterDays int = 30
@minValue(1)
param storageBudgetBytes int = 5000000000

var isProduction = environment == 'production'
var names = isProduction ? {
  sqlServer: 'sqlsvr-marketdata-prod'
  database: 'marketdata-prod'
  plan: planSku == 'F1' ? 'asp-marketdata-free' : 'asp-marketdata-prod'
  webApp: 'marketdata-api-prod'
  workerApp: 'marketdata-worker-prod'
  identity: 'id-marketdata-prod'
  storage: 'stmarketdataprod'
  vault: 'kv-marketdata-prod'
  insights: 'marketdata-api-insights'
  logs: 'log-marketdata-prod'
  redis: 'redis-marketdata-prod'
  budget: 'budget-marketdata-prod'
  alerts: 'ag-marketdata-prod'
} : {
  sqlServer: 'sql-marketdata-staging'
  database: 'marketdata-staging'
  plan: planSku == 'F1' ? 'asp-marketdata-staging-free' : 'asp-marketdata-staging'
  webApp: 'marketdata-api-staging'
  workerApp: 'marketdata-worker-staging'
  identity: 'id-marketdata-staging'
  storage: 'stmarketdatastaging'
  vault: 'kv-marketdata-staging'
  insights: 'marketdata-api-insights-staging'
  logs: 'log-marketdata-staging'
  redis: 'redis-marketdata-staging'
  budget: 'budget-marketdata-staging'
  alerts: 'ag-marketdata-staging'
}
var tags = {
  application: 'marketdata'
  environment: environment
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    name: names.identity
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    insightsName: names.insights
    logsName: names.logs
    actionGroupName: names.alerts
    alertEmail: alertEmail
    location: location
    tags: tags
  }
}

module database 'modules/database.bicep' = {
  name: 'database'
  params: {
    serverName: names.sqlServer
    databaseName: names.database
    databaseSize: databaseSize
    administrator: sqlAdministrator
    administratorPassword: sqlAdministratorPassword
    entraAdministratorName: entraAdministratorName
    entraAdministratorId: entraAdministratorId
    addresses: databaseAddresses
    location: location
    tags: tags
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    name: names.storage
    readerWriterId: identity.outputs.principalId
    coolAfterDays: coolAfterDays
    archiveAfterDays: archiveAfterDays
    location: location
    tags: tags
  }
}

module redis 'modules/redis.bicep' = if (withRedis) {
  name: 'redis'
  params: {
    name: names.redis
    vaultName: vault.outputs.name
    location: location
    tags: tags
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  params: {
    name: names.vault
    readerId: identity.outputs.principalId
    secretKey: secretKey
    sqlAdministratorPassword: sqlAdministratorPassword
    insightsConnectionString: monitoring.outputs.connectionString
    location: location
    tags: tags
  }
}

module apps 'modules/apps.bicep' = {
  name: 'apps'
  params: {
    planName: names.plan
    planSku: planSku
    webAppName: names.webApp
    workerAppName: names.workerApp
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    databaseServer: database.outputs.host
    databaseName: database.outputs.name
    storageAccount: storage.outputs.name
    vaultName: vault.outputs.name
    withRedis: withRedis
    deployerId: deployerId
    coolAfterDays: coolAfterDays
    archiveAfterDays: archiveAfterDays
    deleteDeltasAfterDays: deleteDeltasAfterDays
    storageBudgetBytes: storageBudgetBytes
    location: location
    tags: tags
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    prefix: names.webApp
    actionGroupId: monitoring.outputs.actionGroupId
    webAppId: apps.outputs.webAppId
    databaseId: database.outputs.id
    storageId: storage.outputs.id
    storageBudgetBytes: storageBudgetBytes
    hasHealthCheck: apps.outputs.workerRuns
    tags: tags
  }
}

module logAlerts 'modules/log_alerts.bicep' = {
  name: 'log-alerts'
  params: {
    prefix: names.webApp
    actionGroupId: monitoring.outputs.actionGroupId
    insightsId: monitoring.outputs.insightsId
    hasWorker: apps.outputs.workerRuns
    location: location
    tags: tags
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    insightsId: monitoring.outputs.insightsId
    location: location
    tags: tags
  }
}

module budget 'modules/budget.bicep' = {
  name: 'budget'
  params: {
    name: names.budget
    amount: monthlyBudget
    start: budgetStart
    email: alertEmail
    actionGroupId: monitoring.outputs.actionGroupId
  }
}

output webAddress string = apps.outputs.webAddress
output databaseHost string = database.outputs.host
output databaseName string = database.outputs.name
output identityName string = names.identity
output vaultName string = vault.outputs.name
output workerRuns bool = apps.outputs.workerRuns
