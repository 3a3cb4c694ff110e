"""The product's own database: tables, migrations, repositories, vault, backup."""
