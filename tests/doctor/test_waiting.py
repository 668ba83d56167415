from darter.doctor.waiting import waiting_sentence


def history(waited):
    return [{"seconds": 1.0, "waited_seconds": 0.0}, {"seconds": 20.0, "waited_seconds": waited}]


def test_the_share_of_all_training_is_told():
    assert waiting_sentence(history(0.1)) == "waited for pictures 0.5% of the time"
    much = "waited for pictures 25.0% of the time (`darter doctor` says why)"
    assert waiting_sentence(history(5.0)) == much
    assert waiting_sentence([]) == ""
