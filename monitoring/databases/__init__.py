"""What is to be known of a database, and what should be done about it: `manage.py database check`."""
