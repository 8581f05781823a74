"""What people look at: one page on this machine, which reads the database and sends people's answers."""
