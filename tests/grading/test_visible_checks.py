"""What a student reads where hidden tests and the check beside an exercise disagree."""

from __future__ import annotations

ZEROS = """class Scale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        return x * self.weight
"""


def test_full_marks_beside_a_failing_check_are_explained(judge, answered):
    exercise = judge(answered(Scale=ZEROS))["by_id"]["Scale"]
    assert exercise["score"] == 2.0
    assert exercise["note"].startswith("All hidden tests pass, but the check beside the exercise fails.")
    assert "agree" in exercise["note"]


def test_full_marks_beside_a_passing_check_need_no_words(judge, answered):
    assert {exercise["note"] for exercise in judge(answered())["exercises"]} == {""}
