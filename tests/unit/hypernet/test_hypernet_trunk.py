"""The trunk: dropout where published, the same numbers by both ways of its first linear, one pass for all."""

import pytest
import torch

from tailorlm.hypernet.trunk import Mixer, Trunk


def trunk(dropout: float = 0.0) -> Trunk:
    torch.manual_seed(0)
    return Trunk([0, 0, 1, 1], [0, 2, 0, 2], latent=16, head_in=12, dropout=dropout)


def test_shape_is_sites_parts_users() -> None:
    assert trunk()(torch.randn(3, 8)).shape == (4, 1, 3, 12)
    assert trunk()(torch.randn(3, 8), torch.randn(4, 2, 16)).shape == (4, 2, 3, 12)


def test_split_and_drawn_first_linear_agree() -> None:
    mixer, users, places = Mixer(16, 0.0), torch.randn(3, 8), torch.randn(4, 8)
    assert torch.allclose(mixer.split(users, places), mixer.drawn(users, places), atol=1e-6)


def test_one_user_alone_equals_in_company() -> None:
    net, users = trunk().eval(), torch.randn(5, 8)
    with torch.no_grad():
        assert torch.allclose(net(users)[:, :, 2:3], net(users[2:3]), atol=1e-6)


def test_every_site_differs() -> None:
    x = trunk().eval()(torch.randn(1, 8)).flatten(1)
    assert all(not torch.allclose(x[i], x[j]) for i in range(4) for j in range(i))


def test_dropout_draws_in_training_only() -> None:
    net, users = trunk(0.5), torch.randn(2, 8)
    assert not torch.equal(net(users), net(users))
    net.eval()
    assert torch.equal(net(users), net(users))


def test_input_survives_inference() -> None:
    net, users = trunk().eval(), torch.randn(2, 8)
    before = users.clone()
    with torch.no_grad():
        first = net(users)
        assert torch.equal(first, net(users))
    assert torch.equal(users, before)
    assert torch.allclose(first, net(users), atol=1e-6)


@pytest.mark.parametrize("latent", [0, 2, 18])
def test_latent_must_be_a_multiple_of_four(latent: int) -> None:
    with pytest.raises(ValueError, match=f"latent is {latent}"):
        Trunk([0], [0], latent, 8, 0.0)
