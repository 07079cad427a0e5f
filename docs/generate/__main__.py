"""`python -m docs.generate`, which is `make docs`."""

from docs.generate import write_pages

write_pages()
