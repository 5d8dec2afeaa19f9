"""How likely a word that is read is right, by what the network says of its characters."""


def confidence(probability: float) -> float:
    return probability
