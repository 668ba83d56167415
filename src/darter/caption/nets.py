"""An LSTM that says words until END, looking at a part of the picture for each of them."""

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, normalize, one_hot

from darter.caption.features import grid_of, last_grid
from darter.model import END, PAD, START, UNKNOWN
from darter.transfer import Backbone

WIDTH = 256
BEAMS = 3
LENGTH_POWER = 0.7  # of the length by which the sum of log probabilities is divided
NEVER = -1e4  # log probability of what cannot be said


class Decoder(nn.Module):
    """Soft attention over positions and one LSTM cell.

    Sources: Vinyals et al., arXiv:1411.4555; Xu et al., arXiv:1502.03044 (soft attention, with
    its gate).
    """

    def __init__(self, channels: int, words: int, width: int = WIDTH, dropout: float = 0.4) -> None:
        super().__init__()
        self.words, self.width = words, width
        self.project = nn.Linear(channels, width)
        self.embed = nn.Linear(words, width, bias=False)  # of one-hot words: any engine has it
        self.seen, self.asked = nn.Linear(width, width), nn.Linear(width, width)
        self.attend, self.gate = nn.Linear(width, 1), nn.Linear(width, width)
        self.cell = nn.LSTMCell(2 * width, width)
        self.first_h, self.first_c = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.say = nn.Linear(2 * width, words)

    def begin(self, grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Projected positions (N, L, width), and the cell's first state."""
        places = torch.relu(self.project(grid))
        mean = places.mean(dim=1)
        return places, torch.tanh(self.first_h(mean)), torch.tanh(self.first_c(mean))

    def step(
        self, places: Tensor, seen: Tensor, word: Tensor, h: Tensor, c: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(logits, h, c, attention (N, L)) after one word, one-hot (N, words).

        seen: `self.seen(places)`, which is the same for all words.
        """
        weights = self.attend(torch.tanh(seen + self.asked(h)[:, None])).squeeze(2).softmax(dim=1)
        context = (weights[:, :, None] * places).sum(dim=1) * torch.sigmoid(self.gate(h))
        h, c = self.cell(torch.cat((self.embed(word), context), dim=1), (h, c))
        return self.say(self.dropout(torch.cat((h, context), dim=1))), h, c, weights

    def teach(self, grid: Tensor, words: Tensor) -> Tensor:
        """Logits (N, T - 1, words) of each next word, given the true ones before it (N, T)."""
        places, h, c = self.begin(self.dropout(grid))
        seen, logits = self.seen(places), []
        for k in range(words.shape[1] - 1):
            word = one_hot(words[:, k], self.words).to(places.dtype)
            said, h, c, _ = self.step(places, seen, word, h, c)
            logits.append(said)
        return torch.stack(logits, dim=1)


class Captioning(nn.Module):
    """Pictures (N, 3, H, W), or their grids (N, L, channels), to sentences.

    In training the grids come out as they are: the loss teaches the decoder on them. In
    evaluation: (N, BEAMS, 1 + length), the log probability and the words of each sentence,
    likeliest first (beam search; sums are divided by length ** LENGTH_POWER, Wu et al.,
    arXiv:1609.08144).
    """

    def __init__(
        self, backbone: Backbone, channels: int, words: int, length: int, *, seed: int = 0
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.backbone, self.net, self.tap = backbone, backbone.net, last_grid(backbone)
        self.length = length
        self.head = Decoder(channels, words)

    @property
    def dropout(self) -> nn.Dropout:
        return self.head.dropout

    def forward(self, x: Tensor) -> Tensor:
        grid = grid_of(self.net, self.tap, x) if x.dim() == 4 else x
        return grid if self.head.training else self.search(grid)

    def search(self, grid: Tensor) -> Tensor:
        decoder, beams = self.head, BEAMS
        count, vocabulary = grid.shape[0], decoder.words
        places, h, c = decoder.begin(grid)
        places, h, c = (_repeat(t, beams) for t in (places, h, c))
        seen = decoder.seen(places)
        banned = torch.zeros(vocabulary, dtype=grid.dtype, device=grid.device)
        banned = banned + NEVER * _marks(vocabulary, (PAD, START, UNKNOWN), grid)
        only_end = NEVER * (1 - _marks(vocabulary, (END,), grid))
        ended = torch.zeros_like(h[:, :1])  # (N * beams, 1)
        total = _first_only(count, beams, grid) + 0 * ended
        lengths = torch.zeros_like(ended)
        word = _marks(vocabulary, (START,), grid).expand(1, vocabulary) + 0 * ended
        said: list[Tensor] = []
        for _ in range(self.length):
            logits, h, c, _ = decoder.step(places, seen, word, h, c)
            step = log_softmax(logits + banned, dim=1)
            step = step * (1 - ended) + only_end * ended  # who has ended says END for nothing
            longer = lengths + (1 - ended)
            value = (total + step) / longer**LENGTH_POWER
            at = value.reshape(count, beams * vocabulary).topk(beams, dim=1)[1]
            origin = torch.div(at, vocabulary, rounding_mode="floor")
            choice = at - origin * vocabulary
            pick = one_hot(origin, beams).to(grid.dtype)  # (N, beams, beams)
            h, c, total, longer, ended = (
                _picked(pick, t, count, beams) for t in (h, c, total, longer, ended)
            )
            step = _picked(pick, step, count, beams)
            word = one_hot(choice, vocabulary).to(grid.dtype).reshape(count * beams, vocabulary)
            total = total + (step * word).sum(dim=1, keepdim=True)
            lengths = longer
            said = [_picked(pick, t, count, beams) for t in said]
            said.append(choice.reshape(-1, 1).to(grid.dtype))
            ended = torch.maximum(ended, (choice.reshape(-1, 1) == END).to(grid.dtype))
        return torch.cat((total, *said), dim=1).reshape(count, beams, 1 + self.length)


def _repeat(x: Tensor, beams: int) -> Tensor:
    """(N, …) -> (N * beams, …), each row so many times after each other."""
    wide = x.unsqueeze(1).expand(-1, beams, *([-1] * (x.dim() - 1)))
    return wide.reshape(-1, *x.shape[1:])


def _picked(pick: Tensor, x: Tensor, count: int, beams: int) -> Tensor:
    """Rows of the beams that go on, (N * beams, K): a product, so that it is exact and simple."""
    return (pick @ x.reshape(count, beams, -1)).reshape(count * beams, -1)


def _marks(size: int, places: tuple[int, ...], like: Tensor) -> Tensor:
    return torch.tensor([float(k in places) for k in range(size)], dtype=like.dtype,
                        device=like.device)  # fmt: skip


def _first_only(count: int, beams: int, like: Tensor) -> Tensor:
    """(N * beams, 1): 0 for the first beam of each picture, NEVER for others, which are copies."""
    row = NEVER * (1 - _marks(beams, (0,), like))
    return row.expand(count, beams).reshape(-1, 1)


class Retrieval(nn.Module):
    """The sentence of the training picture that looks most alike: the baseline.

    Gives (N, 1, 1 + length): the cosine of the features, and the words.
    Source: Devlin et al., arXiv:1505.04467.
    """

    def __init__(self, backbone: Backbone, features: Tensor, sentences: Tensor) -> None:
        """features: (M, channels), of the training pictures.   sentences: (M, length)."""
        super().__init__()
        self.backbone, self.net, self.tap = backbone, backbone.net, last_grid(backbone)
        self.register_buffer("looks", normalize(features.float(), dim=1))
        self.register_buffer("known", sentences.float())

    def forward(self, x: Tensor) -> Tensor:
        grid = grid_of(self.net, self.tap, x) if x.dim() == 4 else x
        likeness = normalize(grid.mean(dim=1), dim=1) @ self.get_buffer("looks").T
        best, at = likeness.max(dim=1, keepdim=True)
        chosen = one_hot(at[:, 0], likeness.shape[1]).to(best.dtype) @ self.get_buffer("known")
        return torch.cat((best, chosen), dim=1).unsqueeze(1)
