"""A few garment pictures, and the program that drew them."""
