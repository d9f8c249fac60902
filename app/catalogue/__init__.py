"""PostgreSQL: tables, repositories, transaction."""
