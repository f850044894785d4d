// FeedForward
