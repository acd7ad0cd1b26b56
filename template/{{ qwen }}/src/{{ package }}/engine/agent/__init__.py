"""Episodes: the chat template, what a model wrote, who plays (a model, a server, the expert, chance), and the play."""
