"""What people look at: one page on this machine, which reads and changes nothing."""
