"""`install` and `uninstall`: the steps, and what each touches on the machine."""
