"""SQL Server and Azure SQL: mssql-django's backend, with tokens, retries and exact comparison."""
