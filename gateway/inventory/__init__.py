"""What stands on the site, in the forms that other systems read."""
