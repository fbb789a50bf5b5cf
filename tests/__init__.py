"""The tests, by what one looks for.

``unit`` mirrors the package: a room, or a module, is tested by the files of the folder of its name.
``behaviour`` holds what users meet, whichever modules bring it about: one file for each promise.
``integration`` holds what needs more than the package: other libraries, other processes, the documents,
larger data sets, and models that earlier versions saved.

What they share lies here: texts and small classifiers in ``examples``, every form of X and y in
``forms``, drawn values in ``strategies``, folders of saved models, looked at from outside, in
``folders``, what engines are trained on in ``networks`` and ``keras_training``, a step of training to
hold them against in ``plain_loops``, scripts for other processes in ``processes``.
"""
