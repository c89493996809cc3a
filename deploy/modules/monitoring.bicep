// Logs, Application Insights on top of them, and the group of people that alerts go to.
param insightsName string
param logsName string
param actionGroupName string
param alertEmail string
param location string
param tags object

@description('Gigabytes a day after which collection stops until the next day: 0.16 GB a day are about 5 GB a month.')
param dailyQuotaGigabytes string = '0.16'

resource logs 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: logsName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
    workspaceCapping: {
      dailyQuotaGb: json(dailyQuotaGigabytes)
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: logs.id
    IngestionMode: 'LogAnalytics'
    RetentionInDays: 30
  }
}

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'marketdata'
    enabled: true
    emailReceivers: [
      {
        name: 'operations'
        emailAddress: alertEmail
        useCommonAlertSchema: true
      }
    ]
  }
}

output insightsId string = insights.id
output connectionString string = insights.properties.ConnectionString
output actionGroupId string = people.id
