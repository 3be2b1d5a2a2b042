"""What the pages of all services share: layout, stylesheet, languages, number formats, headers."""
