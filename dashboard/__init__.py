"""What people look at: one page on this machine, which reads, and puts dropped photos into the inbox."""
