"""Discord's face of Easel: cards, buttons, texts, error replies, the deliverer."""
