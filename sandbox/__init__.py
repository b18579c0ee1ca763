"""What makes Relance run alone on one machine. Nothing else imports it; it is reached over HTTP only."""
