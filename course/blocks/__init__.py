"""The Transformer's parts on PyTorch's fused kernels: what the notebooks from week 3 on stand on.

One file a part, to be read in this order: dot_product, attention, feed_forward, positions, embedding, encoder, decoder,
encoder_decoder. Parameter names are those of week 2, so that weights move between a student's block and ours.

Nothing is imported here: a notebook is graded beside the parts that it is given, and no others.
"""
