"""What a run is made of: servers and workers, the lines between them, clients, faults, a witness."""
