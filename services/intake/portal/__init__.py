"""The portal as it really speaks: dialects in, one state a dossier, canonical events out."""
