"""The web side: the public site, the desk, accounts. Views are thin and call services."""
