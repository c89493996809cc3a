// The App Service plan with the web app and, where the plan keeps apps awake, the worker beside it.
param planName string
param planSku string
param webAppName string
param workerAppName string
param identityId string
param identityClientId string
param databaseServer string
param databaseName string
param storageAccount string
param vaultName string
param withRedis bool
param deployerId string
param coolAfterDays int
param archiveAfterDays int
param deleteDeltasAfterDays int
param storageBudgetBytes int
param location string
param tags object

// F1 sleeps after 20 minutes and has 60 minutes of CPU a day: enough to show the pages, not to load files.
var staysAwake = planSku != 'F1'
// One core, and at most 1.75 GB for both apps: a load needs up to 0.9 GB, and each process of the web server 0.2.
var isSmall = contains(['F1', 'B1'], planSku)
// Role "Website Contributor": deploys and restarts, and changes nothing else in the resource group.
var deployerRole = 'de139f84-1756-47ae-9be6-808fbbe84772'

var settings = {
  // Where the code is: packages are installed before they are deployed (deploy/package), not on the server.
  SCM_DO_BUILD_DURING_DEPLOYMENT: 'false'
  ENABLE_ORYX_BUILD: 'false'
  WEBSITES_PORT: '8000'
  // Migrations have been run by then; reading the settings and the search index takes seconds, not minutes.
  WEBSITES_CONTAINER_START_TIME_LIMIT: '230'
  // The worker finishes current work for 30 seconds. App Service kills after 5 by itself.
  WEBSITES_CONTAINER_STOP_TIME_LIMIT: '60'
  WEB_CONCURRENCY: isSmall ? '1' : '2'
  WORKER_PROCESSES: isSmall ? '1' : '2'
  SECRET_KEY: '@Microsoft.KeyVault(VaultName=${vaultName};SecretName=secret-key)'
  APPLICATIONINSIGHTS_CONNECTION_STRING: '@Microsoft.KeyVault(VaultName=${vaultName};SecretName=applicationinsights-connection-string)'
  REDIS_URL: withRedis ? '@Microsoft.KeyVault(VaultName=${vaultName};SecretName=redis-url)' : ''
  DATABASE_TYPE: 'azure_sql'
  AZURE_SQL_SERVER: databaseServer
  AZURE_SQL_DATABASE: databaseName
  AZURE_SQL_AUTH_METHOD: 'entra'
  AZURE_CLIENT_ID: identityClientId
  AZURE_STORAGE_ACCOUNT: storageAccount
  COOL_AFTER_DAYS: string(coolAfterDays)
  ARCHIVE_AFTER_DAYS: string(archiveAfterDays)
  DELETE_DELTAS_AFTER_DAYS: string(deleteDeltasAfterDays)
  STORAGE_BUDGET_BYTES: string(storageBudgetBytes)
  // App Service ends TLS, and is the only proxy in front.
  BEHIND_PROXY: 'true'
  TRUSTED_PROXIES: '1'
  // Everything outside /home is thrown away with the container, and /home is a slow network share.
  MEDIA_ROOT: '/tmp/marketdata/files'
  STAGING_DIR: '/tmp/marketdata/staging'
  DOWNLOAD_DIR: '/tmp/marketdata/downloads'
  QUEUE_DIR: '/tmp/marketdata/queue'
  BACKUP_DIR: '/tmp/marketdata/backups'
  COUNTS_PATH: '/tmp/marketdata/counts.sqlite3'
  TELEMETRY_DIR: '/tmp/marketdata/telemetry'
  METRICS_DIR: '/tmp/marketdata/metrics'
}

resource plan 'Microsoft.Web/serverfarms@2023-12-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'linux'
  sku: {
    name: planSku
  }
  properties: {
    reserved: true
  }
}

resource web 'Microsoft.Web/sites@2023-12-01' = {
  name: webAppName
  location: location
  tags: tags
  kind: 'app,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: identityId
    siteConfig: {
      linuxFxVersion: 'PYTHON|3.11'
      appCommandLine: 'bash deploy/start web'
      alwaysOn: staysAwake
      healthCheckPath: staysAwake ? '/health/live/' : null
      // What the processes print, in /home/LogFiles for some days: the only trace of a start that fails.
      httpLoggingEnabled: true
      logsDirectorySizeLimit: 35
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
    }
  }
}

resource webSettings 'Microsoft.Web/sites/config@2023-12-01' = {
  parent: web
  name: 'appsettings'
  properties: union(settings, {
    ALLOWED_HOSTS: web.properties.defaultHostName
    CSRF_TRUSTED_ORIGINS: 'https://${web.properties.defaultHostName}'
  })
}

// The worker is a second app on the same plan, so it costs nothing more, and the platform restarts it when it ends.
resource worker 'Microsoft.Web/sites@2023-12-01' = if (staysAwake) {
  name: workerAppName
  location: location
  tags: tags
  kind: 'app,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    keyVaultReferenceIdentity: identityId
    siteConfig: {
      linuxFxVersion: 'PYTHON|3.11'
      appCommandLine: 'bash deploy/start worker'
      alwaysOn: true
      healthCheckPath: '/health/live/'
      // What the processes print, in /home/LogFiles for some days: the only trace of a start that fails.
      httpLoggingEnabled: true
      logsDirectorySizeLimit: 35
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      // Nobody outside asks the worker anything; the platform's own requests are not restricted by this.
      ipSecurityRestrictionsDefaultAction: 'Deny'
      scmIpSecurityRestrictionsUseMain: false
      scmIpSecurityRestrictionsDefaultAction: 'Allow'
    }
  }
}

resource workerSettings 'Microsoft.Web/sites/config@2023-12-01' = if (staysAwake) {
  parent: worker
  name: 'appsettings'
  properties: union(settings, {
    ALLOWED_HOSTS: '${workerAppName}.azurewebsites.net'
  })
}

resource deploysWeb 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(deployerId)) {
  name: guid(web.id, deployerId, deployerRole)
  scope: web
  properties: {
    principalId: deployerId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', deployerRole)
  }
}

resource deploysWorker 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (staysAwake && !empty(deployerId)) {
  name: guid(worker.id, deployerId, deployerRole)
  scope: worker
  properties: {
    principalId: deployerId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', deployerRole)
  }
}

output webAddress string = 'https://${web.properties.defaultHostName}'
output workerRuns bool = staysAwake
output webAppId string = web.id
