"""The linear part: n-grams of tokens and of characters, and a linear SVM per label on them."""
