"""What people look at: one page, which reads the database, sends people's answers, and takes in photos."""
