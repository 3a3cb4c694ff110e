"""The page that people look at: the conversation, what waits for a decision, the incidents."""
