"""Remote work by signed letters: who signed, what is asked, what may change, whether it works."""
