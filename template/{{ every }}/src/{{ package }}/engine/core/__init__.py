"""What every room uses: errors, files, runs, configurations as JSON, what is recorded."""
