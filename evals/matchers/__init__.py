"""Other matchers, plain and public, asked the same question as ours and scored alike."""
