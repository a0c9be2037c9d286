"""From search results to an answer whose citations can be checked."""
