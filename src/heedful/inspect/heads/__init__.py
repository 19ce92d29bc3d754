"""What each head of a model is for, measured with baselines; `measure` puts it together.

Templates (`nouns`, `pronouns`, `grammar`) and a model's maps (`reading`) become habits, roles,
coreference, behaviour and causal effects, and these a verdict; `table`, `page`, `picture` show it.
"""
