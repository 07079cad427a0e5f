"""The guarded way down: who may do what, once, in time, with a receipt."""
