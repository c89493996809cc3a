// Alerts on the metrics that Azure itself measures. Each sends an e-mail to the action group.
param prefix string
param actionGroupId string
param webAppId string
param databaseId string
param storageId string
param storageBudgetBytes int
param hasHealthCheck bool
param tags object

var always = [
  {
    name: 'errors'
    description: 'More than 10 answers with a server error (5xx) in 15 minutes.'
    severity: 1
    resource: webAppId
    metric: 'Http5xx'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 10
    window: 'PT15M'
    frequency: 'PT5M'
  }
  {
    name: 'response-time'
    description: 'Answers take more than 2 seconds on average for 15 minutes.'
    severity: 2
    resource: webAppId
    metric: 'HttpResponseTime'
    aggregation: 'Average'
    operator: 'GreaterThan'
    threshold: 2
    window: 'PT15M'
    frequency: 'PT5M'
  }
  {
    name: 'database-size'
    description: 'The database is filled to more than 80 % of its largest size.'
    severity: 2
    resource: databaseId
    metric: 'storage_percent'
    aggregation: 'Maximum'
    operator: 'GreaterThan'
    threshold: 80
    window: 'PT1H'
    frequency: 'PT1H'
  }
  {
    name: 'database-connections'
    description: 'Connections to the database have failed 5 times in 15 minutes.'
    severity: 1
    resource: databaseId
    metric: 'connection_failed'
    aggregation: 'Total'
    operator: 'GreaterThan'
    threshold: 5
    window: 'PT15M'
    frequency: 'PT5M'
  }
  {
    name: 'stored-files'
    description: 'The stored files take more than 80 % of STORAGE_BUDGET_BYTES.'
    severity: 3
    resource: storageId
    metric: 'UsedCapacity'
    aggregation: 'Average'
    operator: 'GreaterThan'
    threshold: storageBudgetBytes / 10 * 8
    window: 'PT1H'
    frequency: 'PT1H'
  }
]
var health = [
  {
    name: 'health'
    description: 'The web app does not answer its health check.'
    severity: 0
    resource: webAppId
    metric: 'HealthCheckStatus'
    aggregation: 'Average'
    operator: 'LessThan'
    threshold: 100
    window: 'PT5M'
    frequency: 'PT1M'
  }
]

resource rules 'Microsoft.Insights/metricAlerts@2018-03-01' = [for rule in (hasHealthCheck ? concat(always, health) : always): {
  name: '${prefix}-${rule.name}'
  location: 'global'
  tags: tags
  properties: {
    description: rule.description
    severity: rule.severity
    enabled: true
    scopes: [rule.resource]
    windowSize: rule.window
    evaluationFrequency: rule.frequency
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: rule.name
          metricName: rule.metric
          timeAggregation: rule.aggregation
          operator: rule.operator
          threshold: rule.threshold
        }
      ]
    }
    actions: [
      {
        actionGroupId: actionGroupId
      }
    ]
  }
}]
