// A workbook in Azure's portal of what telemetry sends to Application Insights.
param insightsId string
param location string
param tags object

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(insightsId, 'marketdata')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'MarketData'
    category: 'workbook'
    sourceId: insightsId
    serializedData: loadTextContent('../azure/workbook.json')
  }
}
