"""Every sentence that a member reads, so that it can be translated. Short, plain, with the next step."""
