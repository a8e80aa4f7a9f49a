"""All SQL: tables, migrations, and one repository per aggregate."""
