"""All SQL there is, one module a table. Every function takes the session of the caller's transaction first."""
