"""SQL Server and Azure SQL: mssql-django's backend with Entra tokens, retries and exact text comparison."""
