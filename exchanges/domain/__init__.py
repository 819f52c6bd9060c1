"""Pure arithmetic of the exchanges: candle chunks, gaps, merging, checks, names of files."""
