"""PixRec: a vision-language model writes the next item's text, and BM25 finds the item."""
