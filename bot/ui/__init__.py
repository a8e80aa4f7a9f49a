"""Everything that people see in Discord: cards, buttons, modals, texts, error replies, and sending it all."""
