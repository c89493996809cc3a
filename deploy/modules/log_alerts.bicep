// Alerts on what telemetry sends to Application Insights. Each sends an e-mail to the action group.
param prefix string
param actionGroupId string
param insightsId string
param hasWorker bool
param location string
param tags object

var always = [
  {
    name: 'error-rate'
    description: 'More than 2 % of at least 50 answers in 15 minutes are server errors.'
    severity: 1
    query: 'requests | where isnotempty(tostring(customDimensions["request_id"])) | summarize answers = count(), failed = countif(success == false and toint(resultCode) >= 500) | where answers >= 50 and failed > answers * 0.02'
    window: 'PT15M'
  }
  {
    name: 'p95'
    description: 'The 95th percentile of the durations of at least 50 requests in 15 minutes is above 2 seconds.'
    severity: 2
    query: 'requests | where isnotempty(tostring(customDimensions["request_id"])) | summarize answers = count(), p95 = percentile(duration, 95) | where answers >= 50 and p95 > 2000'
    window: 'PT15M'
  }
  {
    name: 'data-age'
    description: 'The newest loaded file was published more than 4 days ago.'
    severity: 2
    query: 'customMetrics | where name == "data.age.days" | summarize days = max(value) | where days > 4'
    window: 'PT1H'
  }
  {
    name: 'gaps'
    description: 'A file that is needed is missing, or is about to leave the register.'
    severity: 2
    query: 'customMetrics | where name == "check.failed" | where tostring(customDimensions["check"]) == "gaps" | summarize failed = max(value) | where failed > 0'
    window: 'PT1H'
  }
]
var worker = [
  {
    name: 'worker'
    description: 'No worker has reported for 30 minutes: nothing is downloaded, loaded or sent.'
    severity: 1
    query: 'customMetrics | where name == "processes" | where tostring(customDimensions["role"]) == "worker" | summarize running = max(value) | where isnull(running) or running < 1'
    window: 'PT30M'
  }
]

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in (hasWorker ? concat(always, worker) : always): {
  name: '${prefix}-${rule.name}'
  location: location
  tags: tags
  properties: {
    description: rule.description
    severity: rule.severity
    enabled: true
    scopes: [insightsId]
    windowSize: rule.window
    evaluationFrequency: 'PT15M'
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: rule.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
        }
      ]
    }
    actions: {
      actionGroups: [actionGroupId]
    }
  }
}]
