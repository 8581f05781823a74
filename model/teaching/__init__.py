"""Teach a bundle's two networks on a GPU with PyTorch: `python3 -m model.teaching --data DIR --out DIR`.

Wide residual networks (Zagoruyko and Komodakis 2016) learn from the labels; then the small networks learn to
answer as the wide ones do for the same augmented image (Hinton et al. 2015, Beyer et al. 2022), all in one
loop. It needs NumPy and PyTorch, which no other part of Tailorbird does, and has the layers of
`model.network` and the augmentation of `model.augmentation` a second time, in PyTorch. The validation images
are those of `train`, and never trained on. `python -m model.taught` makes a bundle of what it writes, and
refuses networks whose answers in Keras are other than they were here.
"""
