"""TriAlignGR: semantic ids of what items say and show, and a language model that writes them."""
