"""Write-behind for clients that know nothing of it."""
